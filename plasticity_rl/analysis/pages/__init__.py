"""Figures and self-contained pages.

- palette, style.css: the colours, and how a page looks
- svg, figure: matplotlib figures that take their colours from the page
- axes: parts that figures share
- curves, intervals: learning curves; rows of estimates
- study_figures, study_panels: the figures of a study
- template, templates/: pages as Jinja2 templates, all escaped
- diagnosis_page, proxies_page, runs_page, study_page: what each page shows
"""
