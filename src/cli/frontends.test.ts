// What people read of the kernel's frontends.

import { expect, test } from "bun:test";
import { l4 } from "../../test/support/plans.ts";
import type { FrontendView } from "../datapath/view.ts";
import { renderFrontends } from "./frontends.ts";

function view(name: string, fields: Partial<FrontendView>): FrontendView {
	return {
		address: l4("10.96.0.10:53/UDP"),
		name,
		mode: "ServiceClusterIP",
		id: 1,
		generation: 1,
		keepsPeer: true,
		limit: null,
		isNext: false,
		backends: [{ id: 1, address: l4("10.244.1.1:53/UDP"), state: "active", weight: 1 }],
		resolved: 5,
		refused: 0,
		...fields,
	};
}

test("renderFrontends() tells redirects, who is next, limits, weights and states", () => {
	const backends: FrontendView["backends"] = [
		{ id: 1, address: l4("192.0.2.1:5432/TCP"), state: "active", weight: 3 },
		{ id: 2, address: l4("192.0.2.2:5432/TCP"), state: "active", weight: 1 },
		{ id: 3, address: null, state: "terminating", weight: 0 },
	];
	const text = renderFrontends([
		view("dns-cache:dns", { mode: "localRedirectService", limit: 100 }),
		view("dns-cache:other", { mode: "localRedirectAddress", limit: 0 }),
		view("kube-system/kube-dns:dns", { isNext: true, backends: [], refused: 2 }),
		view("legacy-db:pg", { mode: "balancingAddress", address: l4("169.254.50.50:5432/TCP"), backends }),
	]);
	expect(text).toBe(
		`FRONTEND                  ADDRESS                 KIND                 RESOLVED  REFUSED  BACKENDS
dns-cache:dns             10.96.0.10:53/UDP       LocalRedirect 100/s  5         0        10.244.1.1:53/UDP
dns-cache:other           10.96.0.10:53/UDP       LocalRedirect        5         0        10.244.1.1:53/UDP
kube-system/kube-dns:dns  10.96.0.10:53/UDP       ClusterIP (next)     5         2        (refused: no backend)
legacy-db:pg              169.254.50.50:5432/TCP  Balancing            5         0        192.0.2.1:5432/TCP x3 192.0.2.2:5432/TCP (missing) (terminating)
`,
	);
});
