package config

// The raw structs mirror the files, in the order in which the reference documents the keys. Every scalar is the file's text; nil
// means that the key is not there.

type rawNVE struct {
	ID           *string      `mapstructure:"nve_id"`
	AS           *string      `mapstructure:"as"`
	VTEP         *string      `mapstructure:"vtep"`
	UDPPort      *string      `mapstructure:"udp_port"`
	ListenPort   *string      `mapstructure:"listen_port"`
	Listen       []string     `mapstructure:"listen"`
	Fabric       []rawFabric  `mapstructure:"fabric"`
	Express      rawExpress   `mapstructure:"express"`
	TES          []rawTESPeer `mapstructure:"tes"`
	VNs          []rawEdgeVN  `mapstructure:"vns"`
	Keys         []rawKey     `mapstructure:"credential_keys"`
	Policies     *string      `mapstructure:"policies"`
	Ports        []rawPort    `mapstructure:"ports"`
	Quotas       rawQuotas    `mapstructure:"quotas"`
	Servers      []rawServer  `mapstructure:"servers"`
	Hooks        []rawHook    `mapstructure:"hooks"`
	RouteTarget  *string      `mapstructure:"route_target"`
	State        *string      `mapstructure:"state"`
	Control      *string      `mapstructure:"control"`
	GoBGP        rawGoBGP     `mapstructure:"gobgp"`
	GoBGPWrite   *string      `mapstructure:"gobgp_write"`
	Metrics      *string      `mapstructure:"metrics"`
	Guard        rawGuard     `mapstructure:"guard"`
	Engine       rawEngine    `mapstructure:"engine"`
	Record       *string      `mapstructure:"record"`
	Lifetimes    rawLifetimes `mapstructure:"lifetimes"`
	AssemblyTime *string      `mapstructure:"assembly_time"`
	WithdrawTime *string      `mapstructure:"withdraw_time"`
	HoldOnLoss   *string      `mapstructure:"hold_on_loss"`
	StartupHold  *string      `mapstructure:"startup_hold"`
	Duplicate    rawDuplicate `mapstructure:"duplicate"`
	Log          rawLog       `mapstructure:"log"`
}

type rawTES struct {
	ID             *string      `mapstructure:"tes_id"`
	AS             *string      `mapstructure:"as"`
	NextHop        *string      `mapstructure:"next_hop"`
	NVEs           []rawNVEPeer `mapstructure:"nves"`
	VNs            []rawHostVN  `mapstructure:"vns"`
	Tagging        rawTagging   `mapstructure:"tagging"`
	State          *string      `mapstructure:"state"`
	Control        *string      `mapstructure:"control"`
	GoBGP          *string      `mapstructure:"gobgp"`
	GoBGPWrite     *string      `mapstructure:"gobgp_write"`
	Metrics        *string      `mapstructure:"metrics"`
	Record         *string      `mapstructure:"record"`
	BeaconInterval *string      `mapstructure:"beacon_interval"`
	BeaconLifetime *string      `mapstructure:"beacon_lifetime"`
	ResponseTime   *string      `mapstructure:"response_time"`
	RetryMax       *string      `mapstructure:"retry_max"`
	Log            rawLog       `mapstructure:"log"`
}

type rawFabric struct {
	Address    *string `mapstructure:"address"`
	AS         *string `mapstructure:"as"`
	rawSession `mapstructure:",squash"`
}

// rawExpress is the sessions of nved with other edges.
type rawExpress struct {
	Peers           []string `mapstructure:"peers"`
	PasswordFile    *string  `mapstructure:"password_file"`
	MaxSessions     *string  `mapstructure:"max_sessions"`
	LocalAddress    *string  `mapstructure:"local_address"`
	Port            *string  `mapstructure:"port"`
	AS              *string  `mapstructure:"as"`
	HoldTime        *string  `mapstructure:"hold_time"`
	ConnectRetry    *string  `mapstructure:"connect_retry"`
	TTLSecurityHops *string  `mapstructure:"ttl_security_hops"`
	MessageRate     *string  `mapstructure:"message_rate"`
	MaxRoutes       *string  `mapstructure:"max_routes"`
}

type rawTESPeer struct {
	Address    *string  `mapstructure:"address"`
	AS         *string  `mapstructure:"as"`
	ID         *string  `mapstructure:"tes_id"`
	Prefix     *string  `mapstructure:"prefix"`
	IDs        []string `mapstructure:"tes_ids"`
	Reflector  *string  `mapstructure:"reflector"`
	rawSession `mapstructure:",squash"`
}

type rawNVEPeer struct {
	Address    *string `mapstructure:"address"`
	AS         *string `mapstructure:"as"`
	ID         *string `mapstructure:"nve_id"`
	rawSession `mapstructure:",squash"`
}

// rawSession is what all neighbours have.
type rawSession struct {
	Port            *string `mapstructure:"port"`
	LocalAddress    *string `mapstructure:"local_address"`
	HoldTime        *string `mapstructure:"hold_time"`
	ConnectRetry    *string `mapstructure:"connect_retry"`
	MultihopTTL     *string `mapstructure:"multihop_ttl"`
	Password        *string `mapstructure:"password"`
	PasswordFile    *string `mapstructure:"password_file"`
	TTLSecurityHops *string `mapstructure:"ttl_security_hops"`
	MessageRate     *string `mapstructure:"message_rate"`
	MaxRoutes       *string `mapstructure:"max_routes"`
}

// rawEdgeVN is a VN of nved.
type rawEdgeVN struct {
	Name      *string  `mapstructure:"name"`
	VNI       *string  `mapstructure:"vni"`
	Import    []string `mapstructure:"import"`
	Export    []string `mapstructure:"export"`
	KeepAlive *string  `mapstructure:"keepalive"`
	Authorize *string  `mapstructure:"authorization"`
	TES       []string `mapstructure:"tes"`
	Tenant    *string  `mapstructure:"tenant"`
	Policy    *string  `mapstructure:"default_policy"`
	MaxVMs    *string  `mapstructure:"max_vms"`
	MaxPerTES *string  `mapstructure:"max_vms_per_tes"`
	MaxMACs   *string  `mapstructure:"max_macs"`
	Bridge    *string  `mapstructure:"bridge"`
	VXLAN     *string  `mapstructure:"vxlan"`
	MTU       *string  `mapstructure:"mtu"`
}

// rawHostVN is a VN of tesd.
type rawHostVN struct {
	Name      *string `mapstructure:"name"`
	VNI       *string `mapstructure:"vni"`
	NVE       *string `mapstructure:"nve"`
	KeepAlive *string `mapstructure:"keepalive"`
	Bridge    *string `mapstructure:"bridge"`
}

type rawTagging struct {
	Mode    *string  `mapstructure:"mode"`
	Uplink  *string  `mapstructure:"uplink"`
	Command []string `mapstructure:"command"`
	Timeout *string  `mapstructure:"timeout"`
}

// rawKey is a key of credentials of nved.
type rawKey struct {
	ID   *string  `mapstructure:"id"`
	File *string  `mapstructure:"file"`
	VNs  []string `mapstructure:"vns"`
}

type rawPort struct {
	Port      *string     `mapstructure:"port"`
	VN        *string     `mapstructure:"vn"`
	TES       []string    `mapstructure:"tes"`
	Bandwidth *string     `mapstructure:"bandwidth"`
	Mode      *string     `mapstructure:"mode"`
	VNs       []rawPortVN `mapstructure:"vns"`
	Segment   *string     `mapstructure:"segment"`
	VIDs      []string    `mapstructure:"vids"`
}

// rawPortVN is a VN on a tagged port. Its name alone will do.
type rawPortVN struct {
	Name *string `mapstructure:"name" alone:"yes"`
	VID  *string `mapstructure:"vid"`
}

type rawQuotas struct {
	MaxPerTES *string     `mapstructure:"max_vms_per_tes"`
	Tenants   []rawTenant `mapstructure:"tenants"`
	ACLRules  *string     `mapstructure:"acl_rules"`
}

// rawTenant is what the VNs of a tenant have together.
type rawTenant struct {
	Name    *string `mapstructure:"name"`
	MaxMACs *string `mapstructure:"max_macs"`
}

type rawServer struct {
	Name *string  `mapstructure:"name"`
	VM   *string  `mapstructure:"vm"`
	NICs []rawNIC `mapstructure:"nics"`
}

type rawNIC struct {
	VN     *string  `mapstructure:"vn"`
	Port   *string  `mapstructure:"port"`
	MAC    *string  `mapstructure:"mac"`
	IPs    []string `mapstructure:"ips"`
	Policy *string  `mapstructure:"policy"`
}

type rawHook struct {
	URL      *string  `mapstructure:"url"`
	Events   []string `mapstructure:"events"`
	Refusals *string  `mapstructure:"refusals"`
	Secret   *string  `mapstructure:"secret_file"`
	CA       *string  `mapstructure:"ca_file"`
	Timeout  *string  `mapstructure:"timeout"`
	Retries  *string  `mapstructure:"retries"`
	Backoff  *string  `mapstructure:"backoff"`
	Queue    *string  `mapstructure:"queue"`
}

type rawGoBGP struct {
	Fabric *string `mapstructure:"fabric"`
	TES    *string `mapstructure:"tes"`
}

type rawGuard struct {
	User *string `mapstructure:"user"`
}

type rawEngine struct {
	MemoryLimit *string `mapstructure:"memory_limit"`
}

type rawLifetimes struct {
	PreAssociated *string `mapstructure:"pre_associated"`
	Associated    *string `mapstructure:"associated"`
	Suspended     *string `mapstructure:"suspended"`
	Emigrating    *string `mapstructure:"emigrating"`
	Orphaned      *string `mapstructure:"orphaned"`
	Terminated    *string `mapstructure:"terminated"`
}

type rawDuplicate struct {
	Moves    *string `mapstructure:"moves"`
	Window   *string `mapstructure:"window"`
	Recovery *string `mapstructure:"recovery"`
}

type rawLog struct {
	Level *string `mapstructure:"level"`
	JSON  *string `mapstructure:"json"`
}
