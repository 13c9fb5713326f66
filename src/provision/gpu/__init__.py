"""What is thought of a host's GPUs: driver and CUDA tables, and findings from facts; pure."""

from provision.gpu.cuda import Fit, fit, newest_cuda
from provision.gpu.findings import AFTER_BUILD, judge
from provision.gpu.versions import check_condition, satisfies

__all__ = ["AFTER_BUILD", "Fit", "check_condition", "fit", "judge", "newest_cuda", "satisfies"]
