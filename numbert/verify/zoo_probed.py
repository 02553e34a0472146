PROBED: list = []
