// What a Service has in one cluster, and which of its endpoints a frontend asks for.

import type { EndpointSlice, Service, ServicePort } from "../model/cluster.ts";
import type { Family } from "./node_ports.ts";
import type { Vantage } from "./vantage.ts";

/** Of one Service in one cluster. */
export type Slices = readonly EndpointSlice[];

/** A Service that is merged with those of other hubs has one of each. */
export interface Part {
	readonly service: Service;
	readonly slices: Slices;
	readonly vantage: Vantage;
}

/** Which endpoints are asked for. */
export interface Want {
	/** Whose frontend it is. */
	readonly service: Service;
	readonly family: Family;
	/** An EndpointPort must have the same name and protocol. */
	readonly port: ServicePort;
	/** Only endpoints on this node (traffic policy Local). */
	readonly isLocal: boolean;
}
