"""What an answer is worth: calibration and the safe answer, pure functions on arrays."""

from plant_classification.trust.calibration import fit_temperature, probabilities
from plant_classification.trust.safe_answer import SafeAnswer, choose_safe_answer

__all__ = ["SafeAnswer", "choose_safe_answer", "fit_temperature", "probabilities"]
