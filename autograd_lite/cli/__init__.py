"""The command `autograd-lite`: what it takes, what it prints, and the model file.

In come arguments and CSV files; out go text, pictures, reports and model files. Next door: `pictures`,
`train`.
"""

from autograd_lite.cli.classify import main as main
