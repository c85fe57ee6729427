# SPDX-License-Identifier: GPL-2.0-only
"""Frames that no decent host sends.

frames.py syn INTERFACE MAC ADDRESS PORT NUMBER	SYNs from as many ends, of addresses on the link and beyond it, that
						never answer what comes back
frames.py junk INTERFACE MAC ADDRESS PORT NUMBER SEED	frames in which something is wrong: lengths, offsets, options,
							fragments, checksums, bytes at random
"""
import ipaddress
import random
import socket
import struct
import sys

OURS = bytes.fromhex("020000000077")
SYN, ACK, RST, FIN, PSH, URG = 2, 16, 4, 1, 8, 32


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def pseudo(src, dst, proto, length):
    if src.version == 4:
        return src.packed + dst.packed + struct.pack(">BBH", 0, proto, length)
    return src.packed + dst.packed + struct.pack(">IHBB", length, 0, 0, proto)


def tcp(src, dst, sport, dport, seq, ack, flags, options=b"", data=b"", **wrong):
    options += b"\1" * (-len(options) % 4)
    offset = wrong.get("offset", 5 + len(options) // 4)
    head = struct.pack(">HHIIBBHHH", sport, dport, seq, ack, (offset & 15) << 4, flags,
                       wrong.get("window", 65535), 0, wrong.get("urgent", 0))
    segment = head + options + data
    total = checksum(pseudo(src, dst, 6, len(segment)) + segment)
    return segment[:16] + struct.pack(">H", wrong.get("checksum", total)) + segment[18:]


def udp(src, dst, sport, dport, data, **wrong):
    head = struct.pack(">HHHH", sport, dport, wrong.get("length", 8 + len(data)), 0)
    total = checksum(pseudo(src, dst, 17, len(head + data)) + head + data)
    return head[:6] + struct.pack(">H", wrong.get("checksum", total)) + data


def icmp(src, dst, kind, code, data):
    head = struct.pack(">BBH", kind, code, 0)
    before = b"" if src.version == 4 else pseudo(src, dst, 58, len(head + data))
    return head[:2] + struct.pack(">H", checksum(before + head + data)) + data


def ip(src, dst, proto, payload, **wrong):
    if src.version == 6:
        return struct.pack(">IHBB", wrong.get("version", 6) << 28, wrong.get("length", len(payload)), proto,
                           wrong.get("ttl", 64)) + src.packed + dst.packed + payload
    options = wrong.get("options", b"")
    words = wrong.get("words", 5 + len(options) // 4)
    head = struct.pack(">BBHHHBBH", wrong.get("version", 4) << 4 | words & 15, 0,
                       wrong.get("length", 20 + len(options) + len(payload)), wrong.get("id", 1),
                       wrong.get("fragment", 0), wrong.get("ttl", 64), proto, 0) + src.packed + dst.packed + options
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


class Link:
    def __init__(self, interface, mac, address):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.bind((interface, 0))
        self.mac = bytes.fromhex(mac.replace(":", ""))
        self.to = ipaddress.ip_address(address)

    def send(self, packet, kind=None):
        kind = kind or (0x0800 if self.to.version == 4 else 0x86DD)
        frame = self.mac + OURS + struct.pack(">H", kind) + packet
        self.socket.send(frame[:1514].ljust(14, b"\0"))


def some_end(link, i):
    """Every other one is on the link."""
    if link.to.version == 4:
        base = int(link.to) & ~255 | 3 if i % 2 else int(ipaddress.ip_address("198.18.0.0"))
        return ipaddress.ip_address(base + (i % 250 if i % 2 else i % 65536))
    base = int(link.to) & ~0xFFFF if i % 2 else int(ipaddress.ip_address("2001:db8::"))
    return ipaddress.ip_address(base + 256 + i % 65000)


def flood(link, port, number):
    for i in range(number):
        src = some_end(link, i)
        link.send(ip(src, link.to, 6, tcp(src, link.to, 1024 + i * 7 % 60000, port, i * 65537 & 0xFFFFFFFF, 0, SYN,
                                          b"\2\4\5\xb4\3\3\7\1")))


class Junk:
    def __init__(self, link, port, seed):
        self.link, self.port, self.r = link, port, random.Random(seed)

    def some(self, *values):
        return self.r.choice(values)

    def noise(self, most):
        return self.r.randbytes(self.r.randrange(most + 1))

    def wrong(self, **what):
        """Each of these for one frame in four."""
        return {name: make() for name, make in what.items() if not self.r.randrange(4)}

    def options(self):
        return b"".join(self.some(b"\2\4\5\xb4", b"\3\3\x0e", b"\3\xff", b"\4\2", b"\x08\x0a" + self.r.randbytes(8),
                                  b"\5\x0a" + self.r.randbytes(8), b"\0", b"\1", b"\2\0", b"\xfe\1", self.noise(6))
                        for _ in range(self.r.randrange(4)))[:40]

    def segment(self, src):
        r = self.r
        wrong = self.wrong(offset=lambda: r.randrange(16), window=lambda: self.some(0, 1), urgent=lambda: r.randrange(65536),
                           checksum=lambda: r.randrange(65536))
        return tcp(src, self.link.to, r.randrange(65536), self.some(self.port, self.port, 7, 0), r.getrandbits(32),
                   r.getrandbits(32), self.some(SYN, SYN | FIN, ACK, RST, FIN, 0, 255, SYN | ACK, PSH | ACK | URG),
                   self.options(), self.noise(60), **wrong)

    def transport(self, src):
        r, v4 = self.r, src.version == 4
        what = r.randrange(4)
        if what == 0:
            return 17, udp(src, self.link.to, r.randrange(65536), self.some(self.port, 68, 53, 0), self.noise(80),
                           **self.wrong(length=lambda: r.randrange(65536), checksum=lambda: r.randrange(65536)))
        if what == 1:
            kind = self.some(8, 0, 3, 5, 11, 12, 13) if v4 else self.some(128, 129, 1, 2, 3, 4, 130, 133, 134, 135, 136, 137)
            return 1 if v4 else 58, icmp(src, self.link.to, kind, r.randrange(8), self.noise(120))
        if what == 2 and not v4:
            return self.extension(src)
        return 6, self.segment(src)

    def extension(self, src):
        """An extension header of IPv6, most of which lie about their length."""
        kind, rest = self.some(0, 43, 44, 60), self.segment(src)
        if kind == 44:
            return 44, struct.pack(">BBHI", self.some(6, 17, 44), 0, self.r.randrange(65536), self.r.randrange(3)) + rest
        return kind, struct.pack(">BB", self.some(6, 0, 43, 60, 59), self.r.randrange(256)) + self.noise(30) + rest

    def packet(self):
        r = self.r
        src = some_end(self.link, r.randrange(1000))
        proto, payload = self.transport(src)
        wrong = self.wrong(length=lambda: self.some(0, 1, 19, 20, 21, 40, 65535, r.randrange(1500)),
                           version=lambda: r.randrange(16), ttl=lambda: r.randrange(3))
        if src.version == 4:
            wrong |= self.wrong(words=lambda: r.randrange(16), options=lambda: r.randbytes(4 * r.randrange(11)),
                                fragment=lambda: r.randrange(65536), id=lambda: r.randrange(3))
        return ip(src, self.link.to, proto, payload, **wrong)

    def arp(self):
        return struct.pack(">HHBBH", self.some(1, 6, 0), self.some(0x0800, 0x86DD), self.some(6, 0, 255),
                           self.some(4, 16, 0), self.r.randrange(4)) + self.noise(30)

    def send_one(self):
        r = self.r
        packet, kind = (self.arp(), 0x0806) if not r.randrange(12) else (self.packet(), None)
        packet = bytearray(packet)
        for _ in range(self.some(0, 0, 0, 1, 2, 8)):
            packet[r.randrange(len(packet))] = r.randrange(256)
        if not r.randrange(4):
            del packet[r.randrange(len(packet)):]
        self.link.send(bytes(packet), kind or self.some(None, None, None, None, None, 0x0800, 0x86DD, 0x8100, r.randrange(65536)))


def main():
    what, interface, mac, address, port, number = sys.argv[1:7]
    link = Link(interface, mac, address)
    if what == "syn":
        flood(link, int(port), int(number))
        return
    junk = Junk(link, int(port), int(sys.argv[7]))
    for _ in range(int(number)):
        junk.send_one()


main()
