package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
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

The key is one that the VM manager and the edge share and the hypervisor has not: a file of mode 0600 with 32 to 128 octets as
hexadecimal digits, as "openssl rand -hex 32" makes them. Its number is the one that the edge knows it by (credential_keys).

A credential holds for the VN as the hypervisor names it to the edge. Say vn=VNI where tesd's configuration has the VN's vni, and
vn=NAME where it has the name only.`,
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
			if keyID == 0 {
				return fmt.Errorf("%s: --key-id 0: want 1 to 65535", c.CommandPath())
			}
			if c.Flags().Changed("expiry") && c.Flags().Changed("valid") {
				return fmt.Errorf("%s: --expiry and --valid: want one of them", c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			what := evpn.Consent{Expiry: expiry}
			if expiry == 0 {
				what.Expiry = uint32(time.Now().Add(valid).Unix())
			}
			var err error
			if what.VM, err = evpn.ParseVMID(vm); err != nil {
				return usageError{err}
			}
			if what.TES, err = evpn.ParseRouterID(tes); err != nil {
				return usageError{err}
			}
			key, err := readKey(keyFile)
			if err != nil {
				return err
			}
			file, err := mint(what, nics, key, keyID)
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
	f.Uint16Var(&keyID, "key-id", 0, "`number` of the key, 1 to 65535")
	f.DurationVar(&valid, "valid", 10*time.Minute, "how long from now the bindings may first be accepted")
	f.Uint32Var(&expiry, "expiry", 0, "or until when, in Unix seconds")
	return c
}

// mint makes the credential of each binding of the NICs: of each MAC alone and of each of its addresses.
func mint(what evpn.Consent, nics []*tnsv1.NIC, key evpn.CredentialKey, id uint16) (credentialsFile, error) {
	file := credentialsFile{VMID: what.VM.String(), TES: what.TES.String()}
	for _, nic := range nics {
		vn := nic.Vn.GetName()
		what.VNI, what.VNName = evpn.VNI(nic.Vn.GetVni()), evpn.VNName{}
		if vn == "" {
			vn = fmt.Sprint(nic.Vn.GetVni())
		} else {
			what.VNName = evpn.HashVNName(vn)
		}
		var err error
		if what.MAC, err = evpn.ParseMAC(nic.Mac); err != nil {
			return file, err
		}
		what.Policy = evpn.Policy{Type: nic.Policy.GetId(), Version: uint8(nic.Policy.GetVersion())}
		for _, ip := range append([]string{""}, nic.Ips...) {
			what.IP = netip.Addr{}
			if ip != "" {
				if what.IP, err = netip.ParseAddr(ip); err != nil {
					return file, err
				}
			}
			c := what.Credential(key, id)
			file.Credentials = append(file.Credentials, credentialView{
				VN: vn, MAC: nic.Mac, IP: ip, Policy: policyWords(nic.Policy), KeyID: c.KeyID, Tag: hex.EncodeToString(c.Tag[:]), Expiry: what.Expiry,
			})
		}
	}
	return file, nil
}

// readKey reads a key file, which nobody but its owner may have access to.
func readKey(file string) (evpn.CredentialKey, error) {
	key, err := openKey(file)
	if err != nil {
		return key, fmt.Errorf("read the key %s: %w", file, err)
	}
	return key, nil
}

func openKey(path string) (key evpn.CredentialKey, err error) {
	file, err := os.Open(path)
	if err != nil {
		return key, errors.Unwrap(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return key, errors.Unwrap(err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return key, fmt.Errorf("its mode is %#o, so that others than its owner have access: want 0600", mode)
	}
	text, err := io.ReadAll(io.LimitReader(file, 4096))
	if err != nil {
		return key, err
	}
	return evpn.ParseCredentialKey(string(text))
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
