"""How a case is written: a dict, made by `case` and shorter forms of it."""

ALL = ("google", "hf-legacy", "hf-fast")


def case(operation, given, comment, catches="", flags="", *, dialects=ALL,
         result="valid", also=None, fields=None, **settings):
    """One case.

    given: the input, without what is null.
    catches, flags: names, split at blanks.
    dialects: those that are asked; those without such an operation are left out.
    fields: the names of the output that matter, split at blanks; None = all.
    """
    return {"operation": operation, "input": given, "comment": comment,
            "catches": catches.split(), "flags": flags.split(), "dialects": dialects,
            "result": result, "also": also, "settings": settings,
            "fields": fields.split() if fields else None}


def name(char):
    """U+00E9 LATIN SMALL LETTER E WITH ACUTE, for comments."""
    import unicodedata
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".rstrip()
