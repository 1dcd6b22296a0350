#!/bin/bash
# Many photos on machines that Slurm lends:
#   sbatch --nodes=8 etc/cluster/slurm.sh photos --out answers.csv
#SBATCH --job-name=identify
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=24:00:00
set -eu
# Slurm runs a copy of this file, so the other one is found from the folder that sbatch was called in.
export NODE="${NODE:-$SLURM_SUBMIT_DIR/etc/cluster/node.sh}"
HEAD="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1):6379"
export HEAD
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_TOKEN
# When the command has ended, the other machines are let go.
srun --wait=10 bash -c 'exec sh "$NODE" "$SLURM_PROCID" "$SLURM_NTASKS" "$HEAD" \
  plant-classification identify "$@" --cluster "$HEAD"' identify "$@"
