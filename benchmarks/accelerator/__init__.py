"""What a GPU or TPU does with this package, in parts that resume.

python -m benchmarks.accelerator [--minutes=N]
"""
