"""Methods that change the parameters of any network, one a file.

They need no agent and no config of this package: parameters are nested dicts
of arrays, and layers are declared (`layers.declare_layers`). The interventions
of the same names apply these functions to agents in training.
"""
