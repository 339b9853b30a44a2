"""How good an uncertainty is: what it predicts of errors, and how often a law holds its data."""

from ..common import public_names as _public_names
from .laws import (
    aleatoric_variance as aleatoric_variance,
    epistemic_variance as epistemic_variance,
    interval_coverage as interval_coverage,
    pit as pit,
)
from .order import (
    Calibration as Calibration,
    aurc as aurc,
    calibration as calibration,
    risk_coverage as risk_coverage,
)

globals()["__all__"] = _public_names(globals())
