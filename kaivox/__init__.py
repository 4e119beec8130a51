"""KaiVox."""
