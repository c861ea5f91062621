"""Speed of ketune's engines against NEURON, CoreNEURON and Jaxley on this machine, accuracy first."""
