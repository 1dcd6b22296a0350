"""What an answer is worth: calibration, safe answer, plausible set; pure functions on arrays."""

from plant_classification.trust.calibration import fit_temperature, probabilities
from plant_classification.trust.combination import largest_logit, of_photos, of_views
from plant_classification.trust.expectation import expected
from plant_classification.trust.plausible import PlausibleRule, fit_plausible, plausible_sets
from plant_classification.trust.rules import TrustRules, fit_trust
from plant_classification.trust.safe_answer import SafeAnswer, choose_safe_answer

__all__ = [
    "PlausibleRule",
    "SafeAnswer",
    "TrustRules",
    "choose_safe_answer",
    "expected",
    "fit_plausible",
    "fit_temperature",
    "fit_trust",
    "largest_logit",
    "of_photos",
    "of_views",
    "plausible_sets",
    "probabilities",
]
