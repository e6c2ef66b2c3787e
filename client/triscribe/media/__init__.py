"""Any media to samples: mono, 16 kHz, float32."""
