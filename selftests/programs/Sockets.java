// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket APIs of Java, on loopback: blocking, with a selector, asynchronous, datagrams. Prints what came out.
 */
import java.io.*;
import java.net.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.zip.CRC32;

public class Sockets {
	static final InetAddress V4 = address("127.0.0.1"), V6 = address("::1");

	static InetAddress address(String s) {
		try {
			return InetAddress.getByName(s);
		} catch (UnknownHostException e) {
			throw new UncheckedIOException(e);
		}
	}

	static void say(String format, Object... args) {
		System.out.println(String.format(format, args));
	}

	static byte[] pattern(int size) {
		byte[] data = new byte[size];
		new Random(1).nextBytes(data);
		return data;
	}

	static long crc(byte[] data) {
		CRC32 crc = new CRC32();
		crc.update(data);
		return crc.getValue();
	}

	static void blocking(InetAddress address) throws Exception {
		try (ServerSocket server = new ServerSocket(0, 10, address)) {
			Thread echo = new Thread(() -> {
				try (Socket s = server.accept()) {
					s.getInputStream().transferTo(s.getOutputStream());
				} catch (IOException e) {
					say("server: %s", e);
				}
			});
			echo.start();
			try (Socket s = new Socket(address, server.getLocalPort())) {
				s.setTcpNoDelay(true);
				s.setKeepAlive(true);
				s.setSoLinger(true, 5);
				byte[] data = pattern(100_000);
				Thread writer = new Thread(() -> {
					try {
						s.getOutputStream().write(data);
						s.shutdownOutput();
					} catch (IOException e) {
						say("writer: %s", e);
					}
				});
				writer.start();
				byte[] back = s.getInputStream().readAllBytes();
				writer.join();
				say("blocking %s: %d bytes, same %b, nodelay %b keepalive %b linger %d", address,
				    back.length, crc(back) == crc(data), s.getTcpNoDelay(), s.getKeepAlive(), s.getSoLinger());
			}
			echo.join();
		}
	}

	static void failures() throws Exception {
		int port;

		try (ServerSocket server = new ServerSocket(0, 1, V4)) {
			port = server.getLocalPort();
			server.setSoTimeout(50);
			try {
				server.accept();
			} catch (SocketTimeoutException e) {
				say("accept: %s", e.getMessage());
			}
			try (ServerSocket other = new ServerSocket(port, 1, V4)) {
				say("bound twice: %s", other);
			} catch (BindException e) {
				say("bind: %s", e.getMessage());
			}
			try (Socket s = new Socket(V4, port)) {
				s.setSoTimeout(50);
				s.getInputStream().read();
			} catch (SocketTimeoutException e) {
				say("read: %s", e.getMessage());
			}
		}
		try (Socket s = new Socket(V4, port)) {
			say("connected to %s", s);
		} catch (ConnectException e) {
			say("connect: %s", e.getMessage());
		}
		try (SocketChannel s = SocketChannel.open(); Selector selector = Selector.open()) {
			s.configureBlocking(false);
			s.register(selector, SelectionKey.OP_CONNECT);
			s.connect(new InetSocketAddress(V4, port));
			selector.select();
			s.finishConnect();
		} catch (ConnectException e) {
			say("finishConnect: %s", e.getMessage());
		}
		// A thread that waits in accept() is told by close().
		ServerSocket server = new ServerSocket(0, 1, V6);
		Thread closer = new Thread(() -> {
			try {
				Thread.sleep(50);
				server.close();
			} catch (Exception e) {
				say("close: %s", e);
			}
		});
		closer.start();
		try {
			server.accept();
		} catch (SocketException e) {
			say("accept: %s", e.getMessage());
		}
		closer.join();
	}

	static void serve(Selector selector, int connections) throws IOException {
		ByteBuffer buffer = ByteBuffer.allocateDirect(4096);

		while (connections > 0) {
			selector.select();
			for (Iterator<SelectionKey> i = selector.selectedKeys().iterator(); i.hasNext(); i.remove()) {
				SelectionKey key = i.next();
				if (key.isAcceptable()) {
					SocketChannel s = ((ServerSocketChannel) key.channel()).accept();
					if (s == null)
						continue;
					s.configureBlocking(false);
					s.register(selector, SelectionKey.OP_READ);
				} else if (key.isReadable()) {
					SocketChannel s = (SocketChannel) key.channel();
					if (s.read(buffer.clear()) < 0) {
						s.close();
						connections--;
						continue;
					}
					for (buffer.flip(); buffer.hasRemaining(); )
						s.write(buffer);
				}
			}
		}
	}

	/* All connections at once from one thread, none of them blocking. */
	static void selector(InetAddress address) throws Exception {
		final int connections = 20;
		int done = 0, whole = 0;

		try (ServerSocketChannel listener = ServerSocketChannel.open(); Selector theirs = Selector.open();
		     Selector ours = Selector.open()) {
			// Registered before it listens, which takes nothing away from it.
			listener.configureBlocking(false);
			listener.register(theirs, SelectionKey.OP_ACCEPT);
			listener.bind(new InetSocketAddress(address, 0));
			Thread server = new Thread(() -> {
				try {
					serve(theirs, connections);
				} catch (IOException e) {
					say("server: %s", e);
				}
			});
			server.start();
			for (int i = 0; i < connections; i++) {
				SocketChannel s = SocketChannel.open();
				s.configureBlocking(false);
				s.register(ours, SelectionKey.OP_CONNECT, new ByteArrayOutputStream());
				if (s.connect(listener.getLocalAddress()))
					say("connected at once");
			}
			byte[] data = pattern(2000);
			ByteBuffer in = ByteBuffer.allocate(4096);
			while (done < connections) {
				ours.select();
				for (Iterator<SelectionKey> i = ours.selectedKeys().iterator(); i.hasNext(); i.remove()) {
					SelectionKey key = i.next();
					SocketChannel s = (SocketChannel) key.channel();
					ByteArrayOutputStream got = (ByteArrayOutputStream) key.attachment();
					if (key.isConnectable()) {
						s.finishConnect();
						// Gathered from two buffers.
						s.write(new ByteBuffer[] { ByteBuffer.wrap(data, 0, 500), ByteBuffer.wrap(data, 500, 1500) });
						s.shutdownOutput();
						key.interestOps(SelectionKey.OP_READ);
						continue;
					}
					int n = s.read(in.clear());
					if (n > 0) {
						got.write(in.array(), 0, n);
						continue;
					}
					whole += Arrays.equals(got.toByteArray(), data) ? 1 : 0;
					done++;
					s.close();
				}
			}
			server.join();
			say("selector %s: %d of %d whole", address, whole, connections);
		}
	}

	static void asynchronous() throws Exception {
		try (AsynchronousServerSocketChannel server = AsynchronousServerSocketChannel.open()
				.bind(new InetSocketAddress(V4, 0));
		     AsynchronousSocketChannel client = AsynchronousSocketChannel.open()) {
			Future<AsynchronousSocketChannel> accepted = server.accept();
			client.connect(server.getLocalAddress()).get();
			AsynchronousSocketChannel peer = accepted.get();
			ByteBuffer in = ByteBuffer.allocate(100);
			Future<Integer> reading = peer.read(in);
			client.write(ByteBuffer.wrap("asynchronous".getBytes())).get();
			say("asynchronous: %d bytes", reading.get());
			peer.close();
			say("asynchronous: then %d", client.read(in.clear()).get());
		}
	}

	/* FileChannel.transferTo() is sendfile. */
	static void transfer() throws Exception {
		byte[] data = pattern(300_000);
		Path file = Path.of("transfer.bin");

		Files.write(file, data);
		try (ServerSocketChannel server = ServerSocketChannel.open().bind(new InetSocketAddress(V6, 0));
		     SocketChannel client = SocketChannel.open(server.getLocalAddress());
		     SocketChannel peer = server.accept()) {
			Thread sender = new Thread(() -> {
				try (FileChannel in = FileChannel.open(file)) {
					for (long at = 0; at < data.length; )
						at += in.transferTo(at, data.length - at, client);
					client.shutdownOutput();
				} catch (IOException e) {
					say("transferTo: %s", e);
				}
			});
			sender.start();
			byte[] got = peer.socket().getInputStream().readAllBytes();
			sender.join();
			say("transferTo: %d bytes, same %b", got.length, crc(got) == crc(data));
		}
	}

	static void datagrams(InetAddress address) throws Exception {
		try (DatagramSocket a = new DatagramSocket(0, address); DatagramSocket b = new DatagramSocket(0, address);
		     DatagramChannel c = DatagramChannel.open()) {
			byte[] hello = "hello".getBytes();
			a.send(new DatagramPacket(hello, hello.length, b.getLocalSocketAddress()));
			DatagramPacket got = new DatagramPacket(new byte[100], 100);
			b.receive(got);
			b.send(new DatagramPacket(hello, hello.length, got.getSocketAddress()));
			a.receive(got);
			c.connect(b.getLocalSocketAddress());
			c.write(ByteBuffer.wrap("connected".getBytes()));
			b.receive(got = new DatagramPacket(new byte[100], 100));
			say("datagrams %s: %s", address, new String(got.getData(), 0, got.getLength()));
		}
	}

	public static void main(String[] args) throws Exception {
		blocking(V4);
		blocking(V6);
		failures();
		selector(V4);
		selector(V6);
		asynchronous();
		transfer();
		datagrams(V4);
		datagrams(V6);
	}
}
