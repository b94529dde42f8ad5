# The same doors as do.py, for those who have make: `make test ARGS=--fast`.
DOORS = demo test check run fmt lint type imports tidy unit statistics crash sim soak fuzz bench \
	mutation docs lock

.PHONY: $(DOORS)
$(DOORS):
	@python3 do.py $@ $(ARGS)
