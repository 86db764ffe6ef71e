// What is known of models by their names, as defaults of a conversion.

#ifndef THIMBLE_HUB_KNOWN_DEFAULTS_H_
#define THIMBLE_HUB_KNOWN_DEFAULTS_H_

#include <string_view>

#include "convert/convert.h"

namespace thimble::hub {

// What is known of the model `alias`, for a source that does not state it; all unset for a model that is not known.
convert::Defaults KnownDefaults(std::string_view alias);

}  // namespace thimble::hub

#endif  // THIMBLE_HUB_KNOWN_DEFAULTS_H_
