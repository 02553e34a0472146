"""Read what a Python file imports: at its top, in functions, in any spelling."""

import ast
from functools import cache
from importlib.util import resolve_name
from typing import NamedTuple

CALLS = ("import_module", "__import__")
# Ways to import of which nothing can be said, as of map(import_module, names).
HIDDEN = ("run_module", "run_path", "exec_module", "load_module")
BUILTIN = ("exec", "eval")


class Import(NamedTuple):
    """One import: `from module import names`."""

    line: int
    module: str           # its full name; "" where the source does not tell
    names: tuple[str, ...]
    when: str             # "load", "call" (in a function) or "typing" (TYPE_CHECKING)


@cache
def read_imports(source, module, is_package=False):
    """List the imports of a file.

    Args:
        source: its text.
        module: its own full name, such as numbert.models.base.
        is_package: whether it is the __init__.py of the package of that name.
    """
    reader = Reader(module, is_package)
    reader.visit(ast.parse(source))
    return tuple(reader.found)


class Reader(ast.NodeVisitor):
    """Walks through a file and knows whether it stands in a function."""

    def __init__(self, module, is_package):
        self.module = module
        self.package = module if is_package else module.rpartition(".")[0]
        self.when = "load"
        self.found = []

    def add(self, node, module, names=()):
        self.found.append(Import(node.lineno, module, tuple(names), self.when))

    def visit_all(self, nodes, when=None):
        """Visit these nodes, which run at another time than what is around them."""
        before = self.when
        if when and before != "call":
            self.when = when
        for node in nodes:
            self.visit(node)
        self.when = before

    def visit_Import(self, node):
        for alias in node.names:
            self.add(node, alias.name)

    def visit_ImportFrom(self, node):
        name = "." * node.level + (node.module or "")
        self.add(node, resolve_name(name, self.package),
                 (alias.name for alias in node.names))
        if any(alias.name in CALLS and alias.asname for alias in node.names):
            self.add(node, "")                  # its calls would go unseen

    def visit_FunctionDef(self, node):
        """The decorators and the defaults of a function run where it is defined."""
        self.visit_all(getattr(node, "decorator_list", []))
        self.visit(node.args)
        body = node.body if isinstance(node.body, list) else [node.body]
        self.visit_all(body, "call")

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef

    def visit_If(self, node):
        test = node.test
        typing = "TYPE_CHECKING" in (getattr(test, "id", ""), getattr(test, "attr", ""))
        self.visit(test)
        self.visit_all(node.body, "typing" if typing else None)
        self.visit_all(node.orelse)

    def visit_Call(self, node):
        if name_of(node.func) in CALLS:
            self.add(node, *self.called(node))
            self.visit_all([*node.args, *(word.value for word in node.keywords)])
        else:
            self.generic_visit(node)

    def visit_Name(self, node):
        if node.id in CALLS + HIDDEN + BUILTIN:
            self.add(node, "")

    def visit_Attribute(self, node):
        if node.attr in CALLS + HIDDEN:
            self.add(node, "")
        self.generic_visit(node)

    def called(self, node):
        """What import_module(name, package) imports: a module, and ("*",) if in it."""
        given = dict(zip(("name", "package"), node.args))
        given |= {word.arg: word.value for word in node.keywords}
        if "level" in given or "name" not in given:
            return ("",)
        text, whole = beginning(given["name"])
        if not whole:              # the name goes on: keep what is before the last dot
            dots = len(text) - len(text.lstrip("."))
            text = text[:max(dots, text.rfind("."))]
        if text.startswith("."):
            package = self.anchor(given.get("package"))
            text = resolve_name(text, package) if package else ""
        if whole:
            return (text,)
        top = self.module.partition(".")[0]
        return (text if text != top else "", ("*",))      # f"numbert.{x}": any room

    def anchor(self, node):
        """The package from which a relative name starts, or None."""
        if isinstance(node, ast.Constant):
            return node.value
        return {"__package__": self.package, "__name__": self.module}.get(name_of(node))


def name_of(node):
    """The last part of a name: import_module of importlib.import_module."""
    return getattr(node, "id", getattr(node, "attr", ""))


def beginning(node):
    """How a string begins, as far as the source tells, and whether that is all."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value, True
    if isinstance(node, ast.JoinedStr):
        text = ""
        for part in node.values:
            if not isinstance(part, ast.Constant):
                return text, False
            text += part.value
        return text, True
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, whole = beginning(node.left)
        right, end = beginning(node.right) if whole else ("", False)
        return left + right, end
    return "", False
