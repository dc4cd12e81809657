"""What the compiler of tests can do, and a flag that makes it quick."""

import importlib.metadata

JAXLIB = tuple(map(int, importlib.metadata.version('jaxlib').split('.')[:2]))

# Loops are emitted as they once were, in half the time and less; their numbers
# have other rounding errors. jaxlib 0.12 knows no such flag any more.
QUICKLY = ' --xla_cpu_use_fusion_emitters=false' if JAXLIB < (0, 12) else ''
