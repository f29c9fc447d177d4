"""How good a denoised image is: against a truth, against a second exposure, and against simple filters."""
