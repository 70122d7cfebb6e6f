// Package dnstest answers for DNS in tests: names lead where a test wants them, and elsewhere a moment later.
package dnstest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Resolver finds the addresses that a function gives for a name, at each question anew; nil: there is no such name. A DNS server answers it
// through a pipe.
func Resolver(addresses func(name string) []string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go answerDNS(server, addresses)
		return client, nil
	}}
}

// answerDNS speaks DNS over TCP, as a net.Resolver does on a connection that is no net.PacketConn (RFC 1035, section 4.2.2).
func answerDNS(conn net.Conn, addresses func(string) []string) {
	defer func() { _ = conn.Close() }()
	for {
		length := make([]byte, 2)
		if _, err := io.ReadFull(conn, length); err != nil {
			return
		}
		question := make([]byte, int(length[0])<<8|int(length[1]))
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		var message dnsmessage.Message
		if message.Unpack(question) != nil || len(message.Questions) != 1 {
			return
		}
		answer, err := dnsAnswer(message, addresses).Pack()
		if err != nil {
			return
		}
		_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer)&0xffff)), answer...))
	}
}

func dnsAnswer(m dnsmessage.Message, addresses func(string) []string) *dnsmessage.Message {
	question := m.Questions[0]
	known := addresses(strings.TrimSuffix(question.Name.String(), "."))
	answer := &dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
	if known == nil {
		answer.RCode = dnsmessage.RCodeNameError
	}
	for _, text := range known {
		header := dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class}
		switch address := netip.MustParseAddr(text); {
		case address.Is4() && question.Type == dnsmessage.TypeA:
			answer.Answers = append(answer.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: address.As4()}})
		case address.Is6() && question.Type == dnsmessage.TypeAAAA:
			answer.Answers = append(answer.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: address.As16()}})
		}
	}
	return answer
}
