package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/evpn"
)

// credentialsFile is what `credential mint` prints and --credentials reads.
type credentialsFile struct {
	VMID        string           `json:"vmid"`
	TES         string           `json:"tes"`
	Credentials []credentialView `json:"credentials"`
}

// credentialView is the credential of one binding.
type credentialView struct {
	VN     string `json:"vn"` // as --nic takes it: all digits are a VNI
	MAC    string `json:"mac"`
	IP     string `json:"ip"`
	Policy string `json:"policy"`
	KeyID  uint16 `json:"key_id"`
	Tag    string `json:"tag"`    // 32 hexadecimal digits
	Expiry uint32 `json:"expiry"` // Unix seconds
}

// credentialBinding is what a credential says: this VM, at this TES, may have this address in this VN (SPEC §2, Credential).
type credentialBinding struct {
	VM     evpn.VMID
	TES    evpn.RouterID
	VNI    evpn.VNI    // 0 when the VN is named
	VNName evpn.VNName // zero when the VN is numbered
	MAC    evpn.MAC
	IP     netip.Addr // invalid: the MAC alone
	Policy evpn.Policy
	Expiry uint32
	KeyID  uint16
}

// tag is the credential: HMAC-SHA-256 over the binding, truncated to 128 bits.
func (b credentialBinding) tag(key []byte) [16]byte {
	m := make([]byte, 0, 96)
	m = append(m, "tns-credential-1"...)
	m = append(m, b.VM[:]...)
	m = binary.BigEndian.AppendUint32(m, uint32(b.TES))
	m = binary.BigEndian.AppendUint32(m, uint32(b.VNI))
	m = append(m, b.VNName[:]...)
	m = append(m, b.MAC[:]...)
	ip := b.IP.AsSlice()
	m = append(m, byte(len(ip)))
	m = append(m, ip...)
	m = append(m, byte(b.Policy.Type>>16), byte(b.Policy.Type>>8), byte(b.Policy.Type), b.Policy.Version)
	m = binary.BigEndian.AppendUint32(m, b.Expiry)
	m = binary.BigEndian.AppendUint16(m, b.KeyID)

	mac := hmac.New(sha256.New, key)
	mac.Write(m)
	return [16]byte(mac.Sum(nil))
}

func (a *app) credential() *cobra.Command {
	c := &cobra.Command{Use: "credential", Short: "Make credentials, as a VM manager does"}
	group(c)
	c.AddCommand(a.credentialMint())
	return c
}

func (a *app) credentialMint() *cobra.Command {
	var (
		vm, tes, keyFile string
		keyID            uint16
		nics             nicList
		valid            time.Duration
		expiry           uint32
	)
	c := &cobra.Command{
		Use:   "mint --vm UUID --tes TES-ID --nic … --key FILE --key-id N",
		Short: "Make the credentials for a VM's bindings at one TES",
		Long: `Make the credentials for a VM's bindings at one TES, and print them as JSON for --credentials.

The key is one that the VM manager and the edge share and the hypervisor has not: a file of hexadecimal digits, at least 32. A
credential holds for the VN as it is named on the wire: by number where --nic says vn=VNI, by name where it says vn=NAME.`,
		Example: "  tnsctl credential mint --vm 6f1c2b3a-4d5e-4f60-8192-0a1b2c3d4e5f --tes 198.51.100.11 --key blue.key --key-id 7 \\\n" +
			"    --nic vn=10100,mac=02:00:00:00:00:01,ip=10.1.0.1 >vm.credentials\n" +
			"  tnsctl vm associate --vm 6f1c2b3a-4d5e-4f60-8192-0a1b2c3d4e5f --nic vn=10100,mac=02:00:00:00:00:01,ip=10.1.0.1 --credentials vm.credentials",
		Args: func(c *cobra.Command, args []string) error {
			if err := cobra.NoArgs(c, args); err != nil {
				return err
			}
			for _, flag := range []string{"vm", "tes", "key", "key-id", "nic"} {
				if !c.Flags().Changed(flag) {
					return fmt.Errorf("%s: --%s is missing", c.CommandPath(), flag)
				}
			}
			if c.Flags().Changed("expiry") && c.Flags().Changed("valid") {
				return fmt.Errorf("%s: --expiry and --valid: want one of them", c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			b := credentialBinding{KeyID: keyID, Expiry: expiry}
			if expiry == 0 {
				b.Expiry = uint32(time.Now().Add(valid).Unix())
			}
			var err error
			if b.VM, err = evpn.ParseVMID(vm); err != nil {
				return usageError{err}
			}
			if b.TES, err = evpn.ParseRouterID(tes); err != nil {
				return usageError{err}
			}
			key, err := readKey(keyFile)
			if err != nil {
				return err
			}
			file, err := mint(b, nics, key)
			if err != nil {
				return err
			}
			return printJSON(a.out, file)
		},
	}
	f := c.Flags()
	f.StringVar(&vm, "vm", "", "the VM's `UUID`")
	f.StringVar(&tes, "tes", "", "`TES-ID` of the hypervisor that may have the VM")
	f.Var(&nics, "nic", "a network card, once for each: "+nicHelp+"; all digits are a VNI")
	f.StringVar(&keyFile, "key", "", "`file` with the key in hexadecimal")
	f.Uint16Var(&keyID, "key-id", 0, "number of the key")
	f.DurationVar(&valid, "valid", 10*time.Minute, "how long from now the bindings may first be accepted")
	f.Uint32Var(&expiry, "expiry", 0, "or until when, in Unix seconds")
	return c
}

// mint makes the credential of each binding of the NICs: of each MAC alone and of each of its addresses.
func mint(b credentialBinding, nics []*tnsv1.NIC, key []byte) (credentialsFile, error) {
	file := credentialsFile{VMID: b.VM.String(), TES: b.TES.String()}
	for _, nic := range nics {
		vn := nic.Vn.GetName()
		b.VNI, b.VNName = evpn.VNI(nic.Vn.GetVni()), evpn.VNName{}
		if vn == "" {
			vn = fmt.Sprint(nic.Vn.GetVni())
		} else {
			b.VNName = evpn.HashVNName(vn)
		}
		var err error
		if b.MAC, err = evpn.ParseMAC(nic.Mac); err != nil {
			return file, err
		}
		b.Policy = evpn.Policy{Type: nic.Policy.GetId(), Version: uint8(nic.Policy.GetVersion())}
		for _, ip := range append([]string{""}, nic.Ips...) {
			b.IP = netip.Addr{}
			if ip != "" {
				if b.IP, err = netip.ParseAddr(ip); err != nil {
					return file, err
				}
			}
			tag := b.tag(key)
			file.Credentials = append(file.Credentials, credentialView{
				VN: vn, MAC: nic.Mac, IP: ip, Policy: policyWords(nic.Policy), KeyID: b.KeyID, Tag: hex.EncodeToString(tag[:]), Expiry: b.Expiry,
			})
		}
	}
	return file, nil
}

// readKey reads a key file.
func readKey(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) < 16 {
		return nil, fmt.Errorf("read the key %s: want at least 32 hexadecimal digits", file)
	}
	return key, nil
}

// readCredentials reads the credentials for a VM.
func readCredentials(file, vmid string) ([]*tnsv1.Credential, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the credentials: %w", err)
	}
	var content credentialsFile
	if err := json.Unmarshal(text, &content); err != nil {
		return nil, fmt.Errorf("read the credentials %s: %w", file, err)
	}
	if content.VMID != vmid {
		return nil, fmt.Errorf("read the credentials %s: they are for VM %s, want %s", file, content.VMID, vmid)
	}
	var list []*tnsv1.Credential
	for i, c := range content.Credentials {
		vn, err := parseVN(c.VN)
		if err != nil {
			return nil, fmt.Errorf("read the credentials %s, number %d: %w", file, i+1, err)
		}
		tag, err := hex.DecodeString(c.Tag)
		if err != nil || len(tag) != 16 {
			return nil, fmt.Errorf("read the credentials %s, number %d: tag %q: want 32 hexadecimal digits", file, i+1, c.Tag)
		}
		list = append(list, &tnsv1.Credential{Vn: vn, Mac: c.MAC, Ip: c.IP, KeyId: uint32(c.KeyID), Tag: tag, Expiry: c.Expiry})
	}
	return list, nil
}
