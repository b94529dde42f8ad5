"""The demo: a real wallet with people in it, who use it over HTTP as an integrator's app would."""
