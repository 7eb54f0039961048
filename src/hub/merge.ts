// Several hubs as one cluster: the earlier one wins where two declare the same object.

import type { Cluster, EndpointSlice, Service } from "../model/cluster.ts";
import type { Problem } from "../model/problem.ts";

/** Services with their slices; identical values stay identical. One cluster is returned as it is. */
export function mergeClusters(clusters: readonly Cluster[]): Cluster {
	const [only] = clusters;
	if (only && clusters.length === 1) return only;
	const services = new Map<string, Service>();
	const slices = new Map<string, readonly EndpointSlice[]>();
	const problems: Problem[] = [];
	for (const cluster of clusters) {
		problems.push(...cluster.problems);
		for (const [key, service] of cluster.services) {
			if (services.has(key)) {
				problems.push({
					object: `Service ${key}`,
					reason: "Duplicate",
					message: "An earlier source has the same Service, whose endpoints are used: rename or remove one of them",
				});
				continue;
			}
			services.set(key, service);
			const own = cluster.slices.get(key);
			if (own) slices.set(key, own);
		}
	}
	return { services, slices, problems };
}
