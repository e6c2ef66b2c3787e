"""Who speaks when: the client's side of the diarizer process, and speakers for words."""
