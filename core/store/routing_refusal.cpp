#include "store/routing_refusal.h"

namespace espalier {

bool is_routing_refused(const Json& record) {
    const auto routing = record.find("routing");
    return routing != record.end() && routing->is_object() &&
           routing->value("verdict", Json()) == "fail" &&
           record.value(kRoutingAccepted, Json()) != true;
}

}  // namespace espalier
