from collections import defaultdict, namedtuple
Bug = namedtuple("Bug", "title why fix")
CATALOGUE = defaultdict(lambda: Bug("", "", ""))
