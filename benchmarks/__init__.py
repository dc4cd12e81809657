"""What it costs and how often it errs; run by hand, outputs in results/."""
