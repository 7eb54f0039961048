// The Service of the API server itself: whoever loses its endpoints cannot be told that they are back.

import type { EndpointSlice } from "../../model/cluster.ts";
import { NO_ENDPOINTS } from "../../model/endpoint_list.ts";
import { replaceSlice, sortSlices } from "./slice_list.ts";

export const API_SERVER = "default/kubernetes";

export interface ApiServerGuard {
	/** What to show after a change of one slice: of a family that would be left without any endpoint, what is shown now. */
	replace(shown: readonly EndpointSlice[], key: string, slice: EndpointSlice | undefined): readonly EndpointSlice[];
}

export function createApiServerGuard(): ApiServerGuard {
	/** What there really is. */
	let real: readonly EndpointSlice[] = [];
	return {
		replace(shown, key, slice) {
			real = replaceSlice(real, key, slice);
			return keepReachable(shown, real);
		},
	};
}

function keepReachable(shown: readonly EndpointSlice[], real: readonly EndpointSlice[]): readonly EndpointSlice[] {
	const lost = (["IPv4", "IPv6"] as const).filter((family) => hasEndpoint(shown, family) && !hasEndpoint(real, family));
	if (lost.length === 0) return real;
	const kept = shown.filter(({ addressType }) => lost.includes(addressType));
	const rest = real.filter(({ addressType }) => !lost.includes(addressType));
	return sortSlices([...kept, ...rest]);
}

function hasEndpoint(slices: readonly EndpointSlice[], family: EndpointSlice["addressType"]): boolean {
	return slices.some(({ addressType, endpoints }) => addressType === family && endpoints !== NO_ENDPOINTS);
}
