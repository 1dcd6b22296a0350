import groovy.transform.Field

// The hub's pipeline builds this file, from the root of the checkout, and passes it "branch". Without
// base_cpu_tag and base_gpu_tag it builds one image, for processors.
@Field
def dockerfile = 'docker/Dockerfile'

return this
