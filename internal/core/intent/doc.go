// Package intent turns API objects into what one node's BGP speaker should be.
//
// For takes the node and all BGPConfigurations and BGPPeers, lays the overlay that selects the node over the base, fills
// in every default, and returns peers and an advertise.Config without an open question in them. What an object asks for
// in vain comes back as a Problem that names the object and the field; it harms nothing but itself.
package intent
