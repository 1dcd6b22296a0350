"""What ``plant-classification serve`` adds to DEEPaaS: a page, Pl@ntNet's routes, keys, a queue."""
