// Annotation balancing.elf.io/weight: what share of new connections a backend gets, beside those of the others.

import { type Ip, parseIp } from "./address.ts";
import { type Metadata, readString } from "./metadata.ts";
import { type Report, show } from "./report.ts";

export const WEIGHT = "balancing.elf.io/weight";

const MAX_WEIGHT = 1000;
const NUMBER = /^(?:0|[1-9]\d{0,3})$/;
const PATH = ["metadata", "annotations", WEIGHT];

/** A whole number from 0 to 1000. */
function parseWeight(text: string): number | undefined {
	const weight = NUMBER.test(text) ? Number(text) : undefined;
	return weight === undefined || weight > MAX_WEIGHT ? undefined : weight;
}

/** A Pod's; undefined where it is 1, the default. */
export function readPodWeight(meta: Metadata, report: Report): number | undefined {
	const text = readString("annotations", meta, WEIGHT, report) ?? "";
	if (text === "") return undefined;
	const weight = parseWeight(text);
	if (weight === undefined) {
		report.add(PATH, "InvalidObject", `${show(text)} is not a weight: give "0" to "${MAX_WEIGHT}"; 1 is used`);
	}
	return weight === 1 ? undefined : weight;
}

/** Those of a policy's addresses, as `192.0.2.1=3,192.0.2.2=1`; what it does not name, or names wrongly, is not in it. */
export function readAddressWeights(
	meta: Metadata,
	addresses: ReadonlySet<Ip>,
	report: Report,
): ReadonlyMap<Ip, number> {
	const weights = new Map<Ip, number>();
	const text = readString("annotations", meta, WEIGHT, report) ?? "";
	for (const entry of text.trim() === "" ? [] : text.split(",")) {
		const fault = takeWeight(entry.trim(), { addresses, weights });
		if (fault !== undefined) report.add(PATH, "InvalidObject", `${fault}; it is left out`);
	}
	return weights;
}

interface Taken {
	readonly addresses: ReadonlySet<Ip>;
	readonly weights: Map<Ip, number>;
}

function takeWeight(entry: string, { addresses, weights }: Taken): string | undefined {
	const sign = entry.indexOf("=");
	const ip = sign === -1 ? undefined : parseIp(entry.slice(0, sign).trim());
	const weight = parseWeight(entry.slice(sign + 1).trim());
	if (ip === undefined || weight === undefined) {
		return `${show(entry)} is not a weight: write ADDRESS=WEIGHT, 0 to ${MAX_WEIGHT}, as 192.0.2.1=3`;
	}
	if (!addresses.has(ip)) return `${ip} is none of the addresses: add it there, or take its weight away`;
	if (weights.has(ip)) return `A second weight of ${ip}: keep one`;
	weights.set(ip, weight);
	return undefined;
}
