"""The napari dock: form, live curve, layers. It translates and draws; no image is computed here."""
