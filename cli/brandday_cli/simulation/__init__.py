"""A brand day simulated: the product's own use cases over simulated tables, Lambda and shoppers.

Nothing here decides anything about stock. `ReserveUnits`, `ManageReservation`, `ProjectStock` and `ExpireHolds` run as
they are; only what surrounds them is a model: partitions that throttle, environments that have to start, shoppers who
come back. What the model leaves out is in docs/planning.md.
"""
