// The Prometheus text exposition format, version 0.0.4.

export interface Sample {
	readonly labels?: Readonly<Record<string, string>>;
	readonly value: number;
}

export interface Metric {
	/** Without the prefix `balancing_`. */
	readonly name: string;
	readonly help: string;
	readonly type: "counter" | "gauge";
	readonly samples: readonly Sample[];
}

function escapeLabel(text: string): string {
	return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

/** A quote stands for itself here. */
function escapeHelp(text: string): string {
	return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function labelText(labels: Readonly<Record<string, string>> = {}): string {
	const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
	return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function valueText(value: number): string {
	if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
	return value > 0 ? "+Inf" : "-Inf";
}

/** Metrics without a sample are left out. */
export function renderMetrics(metrics: readonly Metric[]): string {
	const lines: string[] = [];
	for (const { name, help, type, samples } of metrics) {
		if (samples.length === 0) continue;
		lines.push(`# HELP balancing_${name} ${escapeHelp(help)}`, `# TYPE balancing_${name} ${type}`);
		for (const { labels, value } of samples) lines.push(`balancing_${name}${labelText(labels)} ${valueText(value)}`);
	}
	return lines.map((line) => `${line}\n`).join("");
}
