"""What every Mailroom service stands on: settings, consume loop, producer, blobs, sealing, health, logs."""

import gc

# A record's models go without the collector, and what is imported stays: to look for cycles every 700 allocations, as is
# the default, took the router a third of its time under load, and every service a tenth of its start.
gc.set_threshold(100_000, 20, 50)
