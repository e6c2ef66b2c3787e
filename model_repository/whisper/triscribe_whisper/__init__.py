"""Whisper on CTranslate2: one encoder pass per chunk, whatever is asked of it. Free of Triton imports."""
