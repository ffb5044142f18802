package config

// The raw structs of the file of policies, in the order in which its reference documents the keys.

type rawPolicies struct {
	Baselines []rawBaseline `mapstructure:"baselines"`
	Profiles  []rawProfile  `mapstructure:"profiles"`
}

type rawBaseline struct {
	VN       *string  `mapstructure:"vn"`
	MaxPCP   *string  `mapstructure:"max_pcp"`
	MaxRate  *string  `mapstructure:"max_rate"`
	Tenant   *string  `mapstructure:"tenant"`
	MaxBurst *string  `mapstructure:"max_burst"`
	FromVM   rawRules `mapstructure:"from_vm"`
	ToVM     rawRules `mapstructure:"to_vm"`
}

type rawRules struct {
	Rules []rawRule `mapstructure:"rules"`
}

type rawProfile struct {
	Type       *string      `mapstructure:"type"`
	Version    *string      `mapstructure:"version"`
	Name       *string      `mapstructure:"name"`
	VNs        []string     `mapstructure:"vns"`
	Guaranteed *string      `mapstructure:"guaranteed"`
	DSCP       *string      `mapstructure:"dscp"`
	PCP        *string      `mapstructure:"pcp"`
	FromVM     rawDirection `mapstructure:"from_vm"`
	ToVM       rawDirection `mapstructure:"to_vm"`
}

type rawDirection struct {
	Rate    *string   `mapstructure:"rate"`
	Default *string   `mapstructure:"default"`
	Rules   []rawRule `mapstructure:"rules"`
	Burst   *string   `mapstructure:"burst"`
}

type rawRule struct {
	Action           *string `mapstructure:"action"`
	Name             *string `mapstructure:"name"`
	SourceMAC        *string `mapstructure:"source_mac"`
	DestinationMAC   *string `mapstructure:"destination_mac"`
	EtherType        *string `mapstructure:"ethertype"`
	Source           *string `mapstructure:"source"`
	Destination      *string `mapstructure:"destination"`
	Protocol         *string `mapstructure:"protocol"`
	DestinationPorts *string `mapstructure:"destination_ports"`
	SourcePorts      *string `mapstructure:"source_ports"`
	ICMPType         *string `mapstructure:"icmp_type"`
	ICMPCode         *string `mapstructure:"icmp_code"`
}
