// One pod of the demo: answers TCP and UDP with its own name, over IPv4 and IPv6.

const [name = "pod", tcpPort = "8080", udpPort = "5353"] = process.argv.slice(2);

Bun.listen({
	hostname: "::",
	port: Number(tcpPort),
	socket: {
		open: (socket) => void socket.end(name),
		data: () => {},
	},
});
await Bun.udpSocket({
	hostname: "::",
	port: Number(udpPort),
	socket: { data: (socket, _, port, address) => void socket.send(name, port, address) },
});
console.log("ready");
