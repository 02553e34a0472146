"""What a computation costs, counted in products, passes and bytes, never in seconds."""

import tracemalloc
from contextlib import ExitStack, contextmanager
from unittest import mock

import numpy as np

PRODUCTS = ("matmul", "matvec", "vecmat")
# Other ways to multiply matrices, which would not be counted, are refused.
UNCOUNTED = ("dot", "vdot", "inner", "outer", "tensordot", "einsum", "kron")
# Their results are plain arrays, whatever they are made from.
MAKERS = ("zeros", "empty", "ones", "full", "array", "asarray", "ascontiguousarray",
          "asfortranarray")


class Work:
    """What `counting` has seen so far."""

    def __init__(self):
        self.products = []      # (shape of a, shape of b, multiply-adds) of each a @ b
        self.passes = []        # how many entries each other operation goes through
        self.arrays = []        # (dtype, bytes) of each array that was made, no view

    def note(self, name, inputs, result):
        """Note one call of a ufunc."""
        if name in PRODUCTS:
            a, b = inputs
            self.products.append((a.shape, b.shape, np.size(result) * a.shape[-1]))
        else:
            self.passes.append(max(map(np.size, [*inputs, result])))

    @property
    def multiply_adds(self):
        return sum(size for _, _, size in self.products)

    def large_arrays(self, least):
        """How many arrays of at least so many bytes were made."""
        return sum(size >= least for _, size in self.arrays)


class Counted(np.ndarray):
    """An array that reports what is done with it; so do all arrays computed from it."""

    work = None                 # where all of them report to, inside `counting`

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        inputs, out = [plain(x) for x in inputs], kwargs.get("out")
        kwargs = {name: plain(x) for name, x in kwargs.items()}
        if out:
            kwargs["out"] = tuple(plain(x) for x in out)
        result = getattr(ufunc, method)(*inputs, **kwargs)
        if Counted.work is not None:
            Counted.work.note(ufunc.__name__, inputs, result)
        return counted(out[0]) if out else counted(result, is_new=True)

    def __array_function__(self, function, types, args, kwargs):
        if function.__name__ in UNCOUNTED:
            raise NotImplementedError(f"{function.__name__} is not counted: use @")
        result = super().__array_function__(function, types, args, kwargs)
        return counted(result, is_new=True)

    def __array_finalize__(self, source):
        if isinstance(source, Counted) and owner(self) is not owner(source):
            report(self)                             # a copy, not a view

    def dot(self, *args, **kwargs):
        raise NotImplementedError("dot is not counted: use @")


def owner(x):
    """The array whose memory x is a view of."""
    return owner(x.base) if isinstance(x.base, np.ndarray) else x


def report(x):
    if Counted.work is not None:
        Counted.work.arrays.append((x.dtype, x.nbytes))


def plain(x):
    return x.view(np.ndarray) if isinstance(x, Counted) else x


def counted(x, is_new=False):
    """The same array, counted from now on."""
    if type(x) is not np.ndarray:
        return x
    if is_new and x.base is None:                    # not a view
        report(x)
    return x.view(Counted)


@contextmanager
def counting(*models):
    """Count the work that is done with the parameters of these models.

    What np.zeros and the like make is counted too.  So of the two factors of a product
    at least one reports it.
    """
    work = Work()
    with ExitStack() as stack:
        for name in MAKERS:
            stack.enter_context(mock.patch.object(np, name, watched(getattr(np, name))))
        for model in models:
            params = {name: counted(x) for name, x in model.params.items()}
            stack.enter_context(mock.patch.object(model, "params", params))
        stack.enter_context(mock.patch.object(Counted, "work", work))
        yield work


def watched(make):
    def made(*args, **kwargs):
        out = make(*args, **kwargs)
        return counted(out, is_new=all(out is not x for x in args))
    return made


def held(function):
    """Call a function -> (the bytes that its result holds, the most held meanwhile).

    What there was before is left out, and so is what only a first call makes.
    """
    function()
    tracemalloc.start()
    try:
        result = function()
        held_now, peak = tracemalloc.get_traced_memory()
        del result
        return held_now, peak
    finally:
        tracemalloc.stop()
