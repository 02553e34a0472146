"""A conformance suite: point it at a BERT, and it says what is right and what is not.

Copy template, whose functions target explains; models, tokenizers and programs make the
laws' targets of it.  Read golden, expected, page, suite (what pytest calls), the tests.
This room may import what numbert.testing may.

    pytest -p numbert.testing.conformance.plugin --pyargs numbert.testing.conformance \\
        --target mypkg.adapter

What the adapter lacks is skipped.  Options of pytest:

    --target mypkg.adapter      or mypkg.adapter:object
    --exec "./program arg"      a tokenizer in any language, see vectors/README.md
    --level tokenizer,forward   only these levels
    --dialect hf-legacy         whose rules a tokenizer follows; hf-fast by default
    --examples 100              how many examples each law is tried on; 50 by default
    --expected-failures FILE    lines PATTERN : REASON; see expected.py
    --conformance-report FILE   a page in Markdown for your README
    --junitxml FILE             pytest's own, for test servers
"""
