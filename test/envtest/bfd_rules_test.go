package envtest_test

func (t table) bfd() {
	t.number("spec.bfd.transmitIntervalMilliseconds", 10, 60000)
	t.number("spec.bfd.receiveIntervalMilliseconds", 10, 60000)
	t.number("spec.bfd.detectMultiplier", 2, 255)
	t.words("spec.bfd.hops", "Single", "Multi")
	const ttl = "spec.bfd.minimumTTL"
	t["bfd.minimumTTL is at least 1"] = rule{
		accepts: change{"spec.bfd.hops": "Multi", ttl: 1}, refuses: change{"spec.bfd.hops": "Multi", ttl: 0}, serverOnly: true,
		says: ttl + ": Invalid value: 0: " + ttl + " in body should be greater than or equal to 1",
	}
	t["bfd.minimumTTL is at most 254"] = rule{
		accepts: change{"spec.bfd.hops": "Multi", ttl: 254}, refuses: change{"spec.bfd.hops": "Multi", ttl: 255},
		says: ttl + ": Invalid value: 255: " + ttl + " in body should be less than or equal to 254",
	}
	const only = ttl + ": Forbidden: bfd.minimumTTL must be set only with bfd.hops Multi, which is the default only where " +
		"ebgpMultihopTTL is above 1: set hops, or leave minimumTTL out"
	t["bfd.minimumTTL is for several hops"] = rule{
		accepts: change{"spec.bfd.hops": "Multi", ttl: 253},
		refuses: change{"spec.bfd.hops": "Single", ttl: 253}, says: only,
	}
	t["bfd.minimumTTL goes with the hops of eBGP"] = rule{
		accepts: change{"spec.bfd.hops": nil, ttl: 253, "spec.ebgpMultihopTTL": 2},
		refuses: change{"spec.bfd.hops": nil, ttl: 253, "spec.ebgpMultihopTTL": 1}, says: only,
	}
	t["a link-local peer is one hop away"] = rule{
		accepts: change{"spec.password": nil, "spec.peerIP": "fe80::1", "spec.interface": "eth0", "spec.bfd.hops": nil},
		refuses: change{"spec.password": nil, "spec.peerIP": "fe80::1", "spec.interface": "eth0", "spec.bfd.hops": "Multi"},
		says: "spec.bfd.hops: Forbidden: bfd.hops must not be Multi with a link-local peerIP (fe80::/10), which is never more than one hop away: " +
			"leave it out",
	}
}
