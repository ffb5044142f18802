package config

import (
	"math"
	"time"

	"github.com/tns-project/tns/evpn"
)

// setting is a kind of value that has a default.
type setting[T any] struct {
	kind[T]
	preset T
}

// seconds16 is the longest time that BGP's hold time (RFC 4271 §4.2) and LEASE can tell.
const seconds16 = math.MaxUint16 * time.Second

var (
	asNumber = number[uint32]("an AS number", 1, math.MaxUint32-1)
	vni      = number[evpn.VNI]("a VNI", 1, uint64(evpn.MaxVNI))
	keyID    = number[uint16]("a number", 1, math.MaxUint16)

	ttlSecurityHops = number[uint8]("a number of hops", 1, 254)

	truth     = word([]string{"false", "true"}, false, true)
	keepAlive = word([]string{"beacon", "per-vm"}, false, true)
	levels    = []string{"error", "warn", "info", "debug", "trace"}
)

// Every default and every bound of both files.
var (
	bgpPort      = setting[uint16]{number[uint16]("a TCP port", 1, 65535), 179}
	listenPort   = setting[int]{number[int]("a TCP port", 1, 65535), 179}
	udpPort      = setting[uint16]{number[uint16]("a UDP port", 1, 65535), 4789}
	multihopTTL  = setting[uint8]{number[uint8]("a TTL", 0, 255), 0}
	holdTime     = setting[time.Duration]{duration(3*time.Second, seconds16, time.Second), 9 * time.Second}
	connectRetry = setting[time.Duration]{duration(time.Second, seconds16, time.Second), time.Second}
	messageRate  = setting[int]{number[int]("a number of messages a second", 1, 1_000_000), 0}
	maxRoutes    = setting[int]{number[int]("a number of routes", 1, 100_000_000), 1_000_000}

	expressPort = setting[uint16]{number[uint16]("a TCP port", 1, 65535), 1179}
	maxSessions = setting[int]{number[int]("a number of sessions", 1, 1000), 64}

	maxVMs    = setting[uint64]{number[uint64]("a number of VMs", 1, 1_000_000), 0}
	maxMACs   = setting[uint64]{number[uint64]("a number of MACs", 1, 1_000_000), 0}
	aclRules  = setting[uint64]{number[uint64]("a number of ACL rules", 1, 10_000_000), 0}
	bandwidth = setting[uint64]{rate(1e3, 1e13), 0}

	mtu          = setting[int]{number[int]("a number of octets", 1280, 65535), 0}
	taggingMode  = setting[TaggingMode]{word([]string{"none", "hook", "ebpf", "dot1q"}, NoTagging, HookTagging, EBPFTagging, Dot1QTagging), NoTagging}
	tagTimeout   = setting[time.Duration]{duration(100*time.Millisecond, time.Minute, time.Millisecond), 5 * time.Second}
	portMode     = setting[PortMode]{portModes, Access}
	vid          = setting[uint16]{number[uint16]("a VID", 1, 4094), 0}
	routeTargets = setting[RouteTargetForm]{word([]string{"as-vni", "rfc8365"}, ASVNI, RFC8365), ASVNI}
	perVM        = setting[bool]{keepAlive, false}
	credentialed = setting[bool]{word([]string{"tes", "credential"}, false, true), false}
	reflector    = setting[bool]{truth, false}
	gobgpWrite   = setting[bool]{truth, false}

	nvedControl = unixSocket("unix:///run/tns/nved.sock")
	tesdControl = unixSocket("unix:///run/tns/tesd.sock")
	gobgpAPI    = setting[string]{localAPI, ""}
	metrics     = setting[string]{hostPort, ""}
	record      = setting[string]{absoluteDirectory("/var/lib/tns/record"), ""}
	guardUser   = setting[string]{userName, "nobody"}
	memoryLimit = setting[int64]{limit(size(64<<20, 1<<40)), 2 << 30}

	preAssociated = lifetime(300 * time.Second)
	associated    = lifetime(300 * time.Second)
	suspended     = lifetime(3600 * time.Second)
	emigrating    = lifetime(120 * time.Second)
	orphaned      = lifetime(3600 * time.Second)
	terminated    = lifetime(60 * time.Second)

	assemblyTime = setting[time.Duration]{duration(100*time.Millisecond, time.Minute, time.Millisecond), 2 * time.Second}
	withdrawTime = setting[time.Duration]{duration(time.Second, 10*time.Minute, time.Millisecond), 10 * time.Second}
	holdOnLoss   = setting[time.Duration]{duration(0, 24*time.Hour, time.Millisecond), 2 * time.Minute}
	startupHold  = setting[time.Duration]{duration(time.Second, time.Hour, time.Millisecond), 2 * time.Minute}

	duplicateMoves    = setting[int]{number[int]("a number of moves", 2, 1000), 5}
	duplicateWindow   = setting[time.Duration]{duration(time.Second, 24*time.Hour, time.Millisecond), 3 * time.Minute}
	duplicateRecovery = setting[time.Duration]{duration(0, 24*time.Hour, time.Millisecond), 9 * time.Minute}

	hookRefusals = setting[bool]{truth, false}
	hookTimeout  = setting[time.Duration]{duration(100*time.Millisecond, time.Minute, time.Millisecond), 5 * time.Second}
	hookRetries  = setting[int]{number[int]("a number of retries", 0, 100), 10}
	hookBackoff  = setting[time.Duration]{duration(10*time.Millisecond, time.Hour, time.Millisecond), time.Second}
	hookQueue    = setting[int]{number[int]("a number of notices", 1, 100_000), 1000}

	beaconInterval = setting[time.Duration]{duration(time.Second, time.Hour, time.Millisecond), 30 * time.Second}
	beaconLifetime = setting[time.Duration]{duration(2*time.Second, seconds16, time.Second), 90 * time.Second}
	responseTime   = setting[time.Duration]{duration(100*time.Millisecond, time.Minute, time.Millisecond), 5 * time.Second}
	retryMax       = setting[time.Duration]{duration(time.Second, time.Hour, time.Millisecond), time.Minute}

	logLevel = setting[string]{word(levels, levels...), "info"}
	logJSON  = setting[bool]{truth, false}
)

// lifetime is how long a state lasts; LEASE tells it in 16 bits of seconds.
func lifetime(preset time.Duration) setting[time.Duration] {
	return setting[time.Duration]{duration(time.Second, seconds16, time.Second), preset}
}
