// Rows L1 to L7: what must be left alone.

import type { Case } from "./case.ts";
import { hostNamed } from "./network.ts";
import { EVERYWHERE, LOCAL } from "./places.ts";
import { notApplicable, type Row, row } from "./row.ts";

async function otherProxy(c: Case): Promise<void> {
	const number = c.nodePort();
	const web = c.service("web", { type: "NodePort", ports: [c.port(80, { nodePort: number })] });
	const theirs = { "service.kubernetes.io/service-proxy-name": "foo-bar" };
	await c.apply(web.object({ labels: theirs }), web.slices(["b1", "b2"]));
	const isDown = async () => {
		await c.untouched(EVERYWHERE, web.at());
		await c.closed(LOCAL, c.target(hostNamed("node-1"), number));
	};
	await isDown();
	await c.apply(web.object());
	await c.reach(EVERYWHERE, web.at(), ["b1", "b2"]);
	await c.reach(LOCAL, c.target(hostNamed("node-1"), number), ["b1", "b2"]);
	await c.apply(web.object({ labels: theirs }));
	await isDown();
}

async function headlessLabel(c: Case): Promise<void> {
	const labels = { "service.kubernetes.io/headless": "" };
	const web = c.service();
	// The controller copies the Service's label to its slices.
	const labelled = () => c.apply(web.object({ labels }), web.slices(["b1", "b2"], { labels }));
	await labelled();
	await c.refused(EVERYWHERE, web.at());
	await c.apply(web.object(), web.slices(["b1", "b2"]));
	await c.reach(EVERYWHERE, web.at(), ["b1", "b2"]);
	await labelled();
	await c.refused(EVERYWHERE, web.at());
}

async function headless(c: Case): Promise<void> {
	const bare = c.service("bare", { spec: { clusterIP: "None", clusterIPs: ["None"] } });
	await c.apply(bare.object(), bare.slices(["b1"], { labels: { "service.kubernetes.io/headless": "" } }));
	await c.untouched(LOCAL, bare.at());
	// Its clients go to the pods themselves.
	await c.reach(LOCAL, c.target(hostNamed("b1"), 8080), ["b1"]);
	await c.closed(LOCAL, c.target(hostNamed("b1"), 80));
}

async function ingressMode(c: Case): Promise<void> {
	const { ingress } = c.freshIps();
	const web = c.service("web", { type: "LoadBalancer", ports: [c.port(80, { nodePort: c.nodePort() })] });
	const both = (ipMode?: string) =>
		web.object({ ingress: [ingress.v4, ingress.v6].map((ip) => (ipMode === undefined ? { ip } : { ip, ipMode })) });
	const target = c.target(ingress, 80);
	await c.apply(web.object({ ingress: [{ hostname: "lb.example.com" }] }), web.slices(["b1", "b2"]));
	await c.untouched(LOCAL, target);
	await c.apply(both());
	await c.reach(LOCAL, target, ["b1", "b2"]);
	await c.apply(both("Proxy"));
	await c.untouched(LOCAL, target);
	await c.apply(both("VIP"));
	await c.reach(LOCAL, target, ["b1", "b2"]);
	await c.apply(web.object({ ingress: [] }));
	await c.untouched(LOCAL, target);
	await c.reach(LOCAL, web.at(), ["b1", "b2"]);
}

export const LABEL_ROWS: readonly Row[] = [
	row(["L1", "leaves Services alone that have service-proxy-name, live", "service.go:2294"], otherProxy),
	row(["L2", "leaves slices alone that have the headless label, live", "service.go:2345"], headlessLabel),
	row(["L3", "leaves headless Services alone", "ShouldSkipService"], headless),
	row(["L4", "takes ingress addresses of ipMode VIP only, live", "serviceport.go"], ingressMode),
	notApplicable(
		["L5", "loadBalancerSourceRanges", "loadbalancer.go:422"],
		"a socket that connects has no source address yet; where packets come in from outside, their node filters them",
	),
	notApplicable(
		["L6", "/healthz and /livez of the proxy", "proxy_health.go"],
		"pages of kube-proxy; ours are /healthz and /readyz, and have tests of their own",
	),
	notApplicable(["L7", "names of the proxy's metrics", "metrics.go"], "kube-proxy's names; ours are in the README"),
];
