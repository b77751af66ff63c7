package envtest_test

func (t table) bfd() {
	t.number("spec.bfd.transmitIntervalMilliseconds", 10, 60000)
	t.number("spec.bfd.receiveIntervalMilliseconds", 10, 60000)
	t.number("spec.bfd.detectMultiplier", 2, 255)
	t.number("spec.bfd.minimumTTL", 1, 254)
	t.words("spec.bfd.hops", "Single", "Multi")
	const only = "spec.bfd.minimumTTL: Forbidden: bfd.minimumTTL must be set only with bfd.hops Multi, which is the default only where " +
		"ebgpMultihopTTL is above 1: set hops, or leave minimumTTL out"
	t["bfd.minimumTTL is for several hops"] = rule{
		accepts: change{"spec.bfd.hops": "Multi", "spec.bfd.minimumTTL": 253},
		refuses: change{"spec.bfd.hops": "Single", "spec.bfd.minimumTTL": 253}, says: only,
	}
	t["bfd.minimumTTL goes with the hops of eBGP"] = rule{
		accepts: change{"spec.bfd.hops": nil, "spec.bfd.minimumTTL": 253, "spec.ebgpMultihopTTL": 2},
		refuses: change{"spec.bfd.hops": nil, "spec.bfd.minimumTTL": 253, "spec.ebgpMultihopTTL": 1}, says: only,
	}
	t["a link-local peer is one hop away"] = rule{
		accepts: change{"spec.peerIP": "fe80::1", "spec.interface": "eth0", "spec.bfd.hops": nil},
		refuses: change{"spec.peerIP": "fe80::1", "spec.interface": "eth0", "spec.bfd.hops": "Multi"},
		says: "spec.bfd.hops: Forbidden: bfd.hops must not be Multi with a link-local peerIP (fe80::/10), which is never more than one hop away: " +
			"leave it out",
	}
}
