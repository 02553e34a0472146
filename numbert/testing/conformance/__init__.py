"""A conformance suite: point it at a BERT, and it says what is right and what is not.

    pytest -p numbert.testing.conformance.plugin --pyargs numbert.testing.conformance \\
        --target mypkg.adapter

The adapter is a module of plain functions; template.py is one to copy, and target.py
says what each function is given and returns.  What it lacks is skipped.  Read template,
target, models and tokenizers (which make the targets of the laws), golden, expected,
page, suite (what pytest calls), then the tests, one file for each level.
This room may import what numbert.testing may.

Options of pytest:

    --target mypkg.adapter      or mypkg.adapter:object
    --exec "./program arg"      a tokenizer in any language, see vectors/README.md
    --level tokenizer,forward   only these levels
    --dialect hf-legacy         whose rules a tokenizer follows; hf-fast by default
    --examples 100              how many examples each law is tried on; 50 by default
    --expected-failures FILE    lines PATTERN : REASON; see expected.py
    --conformance-report FILE   a page in Markdown for your README
    --junitxml FILE             pytest's own, for test servers
"""
