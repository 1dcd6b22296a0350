"""What an answer is worth: calibration and the safe answer, pure functions on arrays."""

from plant_classification.trust.calibration import probabilities
from plant_classification.trust.safe_answer import SafeAnswer, safe_answer

__all__ = ["SafeAnswer", "probabilities", "safe_answer"]
