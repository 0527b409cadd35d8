// XDP steering: our outer flows go to the gateway's AF_XDP sockets, everything
// else goes on to the kernel.
//
// Ours is a TCP segment over IPv4 (no options, no later fragment) or IPv6 (no
// extension header), with at most one VLAN tag, to an {address, port} in
// lwt_endpoints. A first fragment is taken to be counted: nobody puts it together
// again, and the sender makes its segments smaller. Every path ends in XDP_PASS, also when no socket is there any
// more, so that a program left behind by a killed gateway does no harm.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

// The layout of SteerKey in steering.cc.
struct steer_key {
  __u8 family;  // 4 or 6
  __u8 zero;
  __be16 port;
  __u8 address[16];  // an IPv4 address comes first, zeros follow
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, struct steer_key);
  __type(value, __u8);
} lwt_endpoints SEC(".maps");

// The driver finds this map by its name and enters its sockets by queue.
struct {
  __uint(type, BPF_MAP_TYPE_XSKMAP);
  __uint(max_entries, 64);
  __type(key, __u32);
  __type(value, __u32);
} xsks_map SEC(".maps");

struct vlan_tag {
  __be16 tci;
  __be16 protocol;
};

#define FRAGMENT_OFFSET 0x1fff
#define MINIMAL_IP_HEADER 5

static __always_inline int key_of_ipv4(void *header, void *end,
                                       struct steer_key *key) {
  struct iphdr *ip = header;
  struct tcphdr *tcp = header + sizeof(*ip);
  if ((void *)(tcp + 1) > end) return 0;
  if (ip->version != 4 || ip->ihl != MINIMAL_IP_HEADER) return 0;
  if (ip->protocol != IPPROTO_TCP) return 0;
  if (ip->frag_off & bpf_htons(FRAGMENT_OFFSET)) return 0;
  key->family = 4;
  key->port = tcp->dest;
  __builtin_memcpy(key->address, &ip->daddr, sizeof(ip->daddr));
  return 1;
}

static __always_inline int key_of_ipv6(void *header, void *end,
                                       struct steer_key *key) {
  struct ipv6hdr *ip = header;
  struct tcphdr *tcp = header + sizeof(*ip);
  if ((void *)(tcp + 1) > end) return 0;
  if (ip->version != 6 || ip->nexthdr != IPPROTO_TCP) return 0;
  key->family = 6;
  key->port = tcp->dest;
  __builtin_memcpy(key->address, &ip->daddr, sizeof(ip->daddr));
  return 1;
}

SEC("xdp")
int lwt_steer(struct xdp_md *context) {
  void *data = (void *)(long)context->data;
  void *end = (void *)(long)context->data_end;
  struct ethhdr *ethernet = data;
  if ((void *)(ethernet + 1) > end) return XDP_PASS;
  __be16 protocol = ethernet->h_proto;
  void *header = ethernet + 1;
  if (protocol == bpf_htons(ETH_P_8021Q)) {
    struct vlan_tag *tag = header;
    if ((void *)(tag + 1) > end) return XDP_PASS;
    protocol = tag->protocol;
    header = tag + 1;
  }
  struct steer_key key = {};
  int parsed = 0;
  if (protocol == bpf_htons(ETH_P_IP)) {
    parsed = key_of_ipv4(header, end, &key);
  } else if (protocol == bpf_htons(ETH_P_IPV6)) {
    parsed = key_of_ipv6(header, end, &key);
  }
  if (!parsed || !bpf_map_lookup_elem(&lwt_endpoints, &key)) return XDP_PASS;
  return bpf_redirect_map(&xsks_map, context->rx_queue_index, XDP_PASS);
}

char lwt_license[] SEC("license") = "Dual MIT/GPL";
